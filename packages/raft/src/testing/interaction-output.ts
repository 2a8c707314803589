/** What a script sees: the log of the nodes and the words of the runner, in one text. */
import type { Logger } from '../config.ts';

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;

export class InteractionOutput implements Logger {
  #text = '';
  #level = 0;

  get text(): string {
    return this.#text;
  }

  /** At the highest level not even the runner speaks. */
  get isQuiet(): boolean {
    return this.#level === levels.length - 1;
  }

  get level(): number {
    return this.#level;
  }

  set level(level: number) {
    this.#level = level;
  }

  setLevel(name: string): void {
    const level = levels.findIndex((each) => each === name.toUpperCase());
    if (level < 0) throw new Error(`log levels must be either of [${levels.join(' ')}]`);
    this.#level = level;
  }

  clear(): void {
    this.#text = '';
  }

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  /** What `act` writes, each line set in by two spaces. */
  indent(act: () => void): void {
    const outer = this.#text;
    this.#text = '';
    act();
    const inner = this.#text;
    this.#text = outer;
    const lines = inner.split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) this.#text += `  ${line}\n`;
  }

  debug(text: string): void {
    this.#log(0, text);
  }

  info(text: string): void {
    this.#log(1, text);
  }

  warn(text: string): void {
    this.#log(2, text);
  }

  error(text: string): void {
    this.#log(3, text);
  }

  #log(level: number, text: string): void {
    if (this.#level <= level) this.write(`${levels[level]!} ${text}\n`);
  }
}
