/** What replicas' hosts ask each other about free disk, beside the messages of replication. */
export type RoomMessage =
  | { readonly kind: 'room_wanted'; readonly ask: number }
  | { readonly kind: 'room_told'; readonly ask: number; readonly hasRoom: boolean };

export function isRoomMessage(message: { readonly kind: string }): message is RoomMessage {
  return message.kind === 'room_wanted' || message.kind === 'room_told';
}
