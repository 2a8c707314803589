/** A long message that the decode thread made a change of (long-bodies.ts), in the place of the message. */
import type { RequestReader } from '@quiver/rpc';
import type { PointsUpdate } from '../api.ts';
import type { DecodedBody, LongBodies, LongBodyKind } from '../long-bodies.ts';
import type { WriteMessage } from './decode-updates.ts';

/** As long as a call that sets no deadline. */
const decodeMsMax = 60_000;

export class LentMessage {
  readonly #body: DecodedBody;

  constructor(body: DecodedBody) {
    this.#body = body;
  }

  get head(): WriteMessage {
    return this.#body.head;
  }

  /** Once. @throws ClusterError as `decodeWrite` does */
  write(): { name: string; update: PointsUpdate } {
    const update = this.#body.update();
    return { name: this.head.collection_name ?? '', update };
  }
}

/** Long messages are lent, others read in place. @param longBodies - undefined: none is lent */
export function lending(
  kind: LongBodyKind,
  longBodies: LongBodies | undefined,
  readInPlace: RequestReader,
): RequestReader {
  return (schema, bytes) => {
    const lent = longBodies?.take(kind, [bytes], decodeMsMax) ?? null;
    return lent === null ? readInPlace(schema, bytes) : lent.then((body) => new LentMessage(body));
  };
}
