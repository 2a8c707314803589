import { elements, metrics } from '@quiver/kernel';
import { buildIndex } from './testing/index-stage.ts';
import { vectorIndexContract } from './vector-index.contract.ts';

const everyKind = metrics.flatMap((metric) => elements.map((element) => [metric, element] as const));

vectorIndexContract({
  name: 'exact scan',
  kinds: everyKind,
  stage: {},
  open: ({ flat }) => flat,
});

vectorIndexContract({
  name: 'graph over int8 codes',
  kinds: everyKind,
  stage: { neighbourCodes: 'never' },
  open: (stage, hasAbsent) => buildIndex(stage, { hasAbsent }),
});

vectorIndexContract({
  name: 'graph with neighbour codes',
  kinds: [
    ['cosine', 'f32'],
    ['dot', 'f32'],
    ['euclid', 'f32'],
  ],
  stage: { neighbourCodes: 'always' },
  open: (stage, hasAbsent) => buildIndex(stage, { hasAbsent }),
});

vectorIndexContract({
  name: 'graph over codes of components',
  kinds: [
    ['cosine', 'f32'],
    ['dot', 'f32'],
    ['euclid', 'f32'],
    ['euclid', 'f16'],
  ],
  stage: { projection: 'anySize' },
  open: (stage, hasAbsent) => buildIndex(stage, { hasAbsent }),
});

for (const [name, quantization] of [
  ['int8 codes cut at a quantile', { kind: 'scalar', quantile: 0.99 }],
  ['rotated codes of 4 bits', { kind: 'turbo', bits: 4 }],
  ['codes of 2 bits', { kind: 'binary', bits: 2, queryBits: 8 }],
  ['product codes of a byte for two elements', { kind: 'product', dims: 2 }],
] as const)
  vectorIndexContract({
    name: `graph over ${name}`,
    kinds: everyKind,
    stage: { quantization },
    open: (stage, hasAbsent) => buildIndex(stage, { hasAbsent }),
  });
