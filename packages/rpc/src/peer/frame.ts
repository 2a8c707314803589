/** The message `quiver.internal.Frame {bytes data = 1}`, by hand: every call between nodes is one. */
import { ClusterError } from '@quiver/model';

const dataTag = 0x0a;

export function encodeFrame(data: Uint8Array): Buffer {
  const head: number[] = [dataTag];
  for (let rest = data.length; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) {
      head.push(rest);
      break;
    }
    head.push((rest % 0x80) | 0x80);
  }
  const frame = Buffer.allocUnsafe(head.length + data.length);
  frame.set(head, 0);
  frame.set(data, head.length);
  return frame;
}

/** A view of the message. @throws ClusterError malformed */
export function decodeFrame(frame: Uint8Array): Uint8Array {
  if (frame.length === 0) return frame;
  let length = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = frame[at++];
    if (frame[0] !== dataTag || byte === undefined || at > 7) throw malformedFrame();
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (at + length !== frame.length) throw malformedFrame();
  return frame.subarray(at);
}

function malformedFrame(): ClusterError {
  return new ClusterError('malformed', 'a message between nodes is no Frame');
}
