// The wire module: what costs most on the way in and out of JSON. Imported memory, no runtime, no allocation:
// every address is the host's. Static tables lie in the first page, the host's areas from the second page on.
export { beginScan, scanOn } from './scan';
export { numbersOnly } from './numbers';
export { payloadEnd } from './validate';
export { powerTable, putFloat, putFloats } from './float-text';
