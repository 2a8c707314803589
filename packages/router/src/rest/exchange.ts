/** One request and the one place for its answer, whoever reads HTTP: what the REST front end is made against. */

export interface Exchange {
  readonly method: string;
  /** Path and query string as they were sent. */
  readonly url: string;
  /** By its lower-case name; undefined = it was not sent. */
  header(name: string): string | undefined;
  /**
   * The body as it comes off the socket. Valid until `releaseBody`.
   * @param bytesMax - checked while it is read: what was announced is checked before
   * @throws BodyTooLarge (or rejects); ClusterError bad_request: the client went away
   */
  body(bytesMax: number): Chunks | Promise<Chunks>;
  /** Nobody reads the body any more: its memory is given back. */
  releaseBody(): void;
  /** The body will not be read. The client may go on sending it for a while, so that it sees the answer. */
  discardBody(): void;
  /**
   * Sends the answer; only the first one counts, and none after the client went away.
   * @param lines - names and values in turn, printable ASCII; without length, date and connection
   * @param isLast - the connection is closed after it
   * @param body - the caller's again when it returns
   */
  answer(status: number, lines: readonly string[], body: Uint8Array, isLast: boolean): void;
}

export type Chunks = readonly Uint8Array[];
