// Everything the host may call; src/simd.ts is its only caller.
export { placeScratch } from './scratch';
export { prepareQuery } from './score';
export { scanTop, scoreList, scoreRange, stagedTop } from './scan';
export { encodeScanned } from './scan-codes';
export { ignoreCodes, openGraph } from './graph';
export { hideRow } from './visited';
export { encodeRows } from './encode';
export { addProjected, projectRow } from './projection';
export { encodeAlone, quantiseRows } from './quantised';
export { adopt, insertPending, insertUpper, patchLinks } from './graph-build';
export { adoptLinked, fillLinked, insertLinked, offerBlocks } from './payload-links';
export { encodeNeighbours, fillLinks, gatherBlocks, spreadBlocks } from './neighbour-codes';
export { estimateTop, listCandidates, searchFact, searchGraph, walkedBytes } from './graph-search';
export { sparseBest, sparseCandidates } from './sparse';
export { maxSim } from './max-sim';
export { encodeMaxSim, estimateMaxSim } from './max-sim-codes';
