/** Once for all packaging tests: an engine, and the image built from this checkout; tests read why there is none. */
import type { TestProject } from 'vitest/node';
import { docker, startEngine, testImage } from './engine.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Empty when the engine runs and the image is built. */
    engineMissing: string;
  }
}

export default function setup(project: TestProject): () => void {
  const engine = startEngine();
  project.provide('engineMissing', engine.missing ?? '');
  if (engine.missing === null) docker('build', '--file', 'deploy/Dockerfile', '--tag', testImage, '.');
  else process.stderr.write(`packaging: ${engine.missing}; the tests with containers are skipped\n`);
  return engine.stop;
}
