/**
 * Binds each listening port once, exclusively, before the serve threads share it by SO_REUSEPORT: with that option a
 * second server on the same port would start without a word and take half the connections.
 */
import { createServer } from 'node:net';
import { ClusterError } from '@quiver/model';

/**
 * @param setting - of the port, for who has to choose another
 * @param port - 0 lets the system choose
 * @returns the port, free again for the serve threads
 * @throws ClusterError 'unavailable' naming the port
 */
export async function claimPort(host: string, port: number, what: string, setting: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'another process listens there' : error.message;
      reject(
        new ClusterError(
          'unavailable',
          `${what} cannot listen on ${host}:${port}: ${why}; stop it or set ${setting} to another port`,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const bound = address === null || typeof address === 'string' ? port : address.port;
      server.close(() => resolve(bound));
    });
  });
}
