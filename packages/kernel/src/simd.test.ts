import { kernelContract } from './kernel.contract.ts';
import { createSimdKernel } from './simd.ts';

kernelContract('SIMD', createSimdKernel);
