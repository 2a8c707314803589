export { Interaction } from './interaction.ts';
export { rewriteScript, type Directive } from './data-driven.ts';
