// The image's health check: is this process ready? Plain HTTP on the port that the environment gives, else 6333. A port
// set only in a configuration file is not seen here: set it by QUIVER__SERVICE__HTTP_PORT in a container.
const port = process.env.QUIVER__SERVICE__HTTP_PORT ?? process.env.QDRANT__SERVICE__HTTP_PORT ?? '6333';
const timeoutMs = 3_000;
try {
  const reply = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!reply.ok) console.error(`/readyz answers ${reply.status}: ${await reply.text()}`);
  process.exitCode = reply.ok ? 0 : 1;
} catch (error) {
  console.error(`/readyz on port ${port}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
