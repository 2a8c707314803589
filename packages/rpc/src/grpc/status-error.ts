/** Refuses a call with a status of gRPC's own, one that no `ClusterError` stands for. */
export class StatusError extends Error {
  /** `grpcCode` */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
