import { kernelContract } from './kernel.contract.ts';
import { createScalarKernel } from './scalar.ts';

kernelContract('scalar', createScalarKernel);
