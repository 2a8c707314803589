export { createBodyScanner, type BodyScanner } from './body-scanner.ts';
export { createFloatPrinter, type FloatPrinter } from './float-printer.ts';
export { createReplyBuilder, type ReplyBuilder } from './reply-builder.ts';
