/** The chart helm/quiver: lints, renders over a matrix of values, passes both manifest checks, and says what it must. */
import { parseAllDocuments } from 'yaml';
import { describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { startQuiver } from '../harness/server.ts';
import { output, root, run } from './engine.ts';
import { findHelm, prepareManifestChecks, runManifestCheck, template, type Values } from './helm.ts';

const helm = findHelm();
const checks = prepareManifestChecks();

/** The fields that these tests read; the manifest checks are what looks at all of them. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Spec;
}

interface Spec extends PodSpec {
  /** Of what holds pods. */
  readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec };
  /** Of a service. */
  readonly selector: object;
}

interface PodSpec {
  readonly containers: readonly [Container];
  readonly terminationGracePeriodSeconds: number;
  readonly topologySpreadConstraints: readonly object[];
  readonly automountServiceAccountToken: boolean;
}

interface Container {
  readonly args: readonly string[];
  readonly readinessProbe: { readonly httpGet: object };
  readonly livenessProbe?: object;
  readonly startupProbe?: object;
  readonly securityContext: object;
}

const matrix: readonly (readonly [string, Values])[] = [
  ['its defaults', {}],
  [
    'keys made by the chart',
    { set: ['apiKey=true', 'readOnlyApiKey=true', 'metrics.serviceMonitor.enabled=true'] },
  ],
  [
    'keys from elsewhere',
    {
      json: [
        'apiKey={"secretKeyRef":{"name":"mine","key":"rw"}}',
        'readOnlyApiKey={"secretKeyRef":{"name":"mine","key":"ro"}}',
        'metrics={"serviceMonitor":{"enabled":true}}',
      ],
    },
  ],
  [
    'an ingress with TLS',
    { set: ['ingress.enabled=true', 'ingress.tls[0].secretName=cert', 'apiKey=secret'] },
  ],
  ['the smallest cluster', { set: ['meta.replicaCount=1', 'shard.replicaCount=1', 'router.replicaCount=1'] }],
  [
    'everything set',
    {
      set: [
        'fullnameOverride=named',
        'priorityClassName=high',
        'shareProcessNamespace=true',
        'service.type=NodePort',
      ],
      json: [
        'config={"log_level":"DEBUG","service":{"metrics_prefix":"{{ .Release.Name }}"}}',
        'additionalLabels={"team":"search"}',
        'additionalVolumes=[{"name":"ca","secret":{"secretName":"ca"}}]',
        'additionalVolumeMounts=[{"name":"ca","mountPath":"/ca"}]',
        'sidecarContainers=[{"name":"side","image":"side:1"}]',
        'imagePullSecrets=[{"name":"pull"}]',
        'livenessProbe={"enabled":true}',
        'startupProbe={"enabled":true}',
        'shard={"replicaCount":9,"resources":{"limits":{"memory":"8Gi"}},"persistence":{"storageClassName":"fast"},"nodeSelector":{"disk":"ssd"},"tolerations":[{"operator":"Exists"}],"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app.kubernetes.io/instance":"{{ .Release.Name }}"}}}]}},"env":[{"name":"NODE_OPTIONS","value":"--max-old-space-size=4096"}]}',
      ],
    },
  ],
];

describe.skipIf(helm === null)('the chart (skipped where no Helm can be had)', () => {
  const render = (values: Values = {}): Manifest[] =>
    parseAllDocuments(template(helm!, values))
      .map((document) => document.toJS() as Manifest | null)
      .filter((manifest) => manifest !== null);
  const named = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
    const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
    expect(found, `${kind} ${name}`).toBeDefined();
    return found!;
  };

  test('lints without a warning', () => {
    expect(output(helm!, ['lint', '--strict', join(root, 'helm/quiver')])).toContain('0 chart(s) failed');
  });

  test.skipIf(checks === null).each(matrix)(
    'with %s passes both manifest checks (skipped without the shared folder)',
    (_name, values) => {
      const manifests = template(helm!, values);
      const schema = runManifestCheck(checks!, 'validate.mjs', manifests);
      expect(schema.text).toMatch(/\n\d+ documents, 0 bad\n/);
      expect(schema.text).not.toContain('no schema');
      // The strict check has no model of ServiceMonitor, a custom resource: the schema check alone covers it.
      const strict = runManifestCheck(checks!, 'strict.mjs', manifests);
      const monitors = /kind: ServiceMonitor/.test(manifests) ? 1 : 0;
      expect(strict.text).toContain(` ${monitors} skipped, 0 problems`);
      expect(schema.status).toBe(0);
      expect(strict.status).toBe(0);
    },
  );
  test.skipIf(checks === null)(
    'with a field that Kubernetes does not know would fail the strict check',
    () => {
      const manifests = template(helm!).replace('podManagementPolicy:', 'podManagmentPolicy:');
      expect(runManifestCheck(checks!, 'strict.mjs', manifests).text).toContain('unknown field');
    },
  );

  test('refuses a value it does not know, an even number of metadata servers and ordered starts', () => {
    for (const setting of ['shart.replicaCount=2', 'meta.replicaCount=2', 'podManagementPolicy=OrderedReady'])
      expect(run(helm!, ['template', join(root, 'helm/quiver'), '--set', setting]).status, setting).not.toBe(
        0,
      );
  });

  test.each(['meta', 'shard'])('starts all pods of %s at once, findable before they are ready', (role) => {
    const manifests = render();
    const set = named(manifests, 'StatefulSet', `here-quiver-${role}`).spec;
    const service = named(manifests, 'Service', `here-quiver-${role}-headless`).spec;
    expect(set).toMatchObject({
      podManagementPolicy: 'Parallel',
      serviceName: `here-quiver-${role}-headless`,
    });
    expect(service).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect(set.template.spec.terminationGracePeriodSeconds).toBe(120);
    expect(set.template.metadata.labels).toMatchObject(service.selector);
  });
  test.each(['meta', 'shard', 'router'])('lets one pod of %s go at a time, the unready first', (role) => {
    expect(named(render(), 'PodDisruptionBudget', `here-quiver-${role}`).spec).toMatchObject({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
  });
  test.each([
    ['StatefulSet', 'meta'],
    ['StatefulSet', 'shard'],
    ['Deployment', 'router'],
  ])(
    'asks a %s of %s only whether it is ready, spreads it over zones, and gives it no right',
    (kind, role) => {
      const pod = named(render(), kind, `here-quiver-${role}`).spec.template.spec;
      const [container] = pod.containers;
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
      expect(container.livenessProbe).toBeUndefined();
      expect(container.startupProbe).toBeUndefined();
      expect(pod.topologySpreadConstraints[0]).toMatchObject({
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'ScheduleAnyway',
      });
      expect(container.securityContext).toMatchObject({ runAsNonRoot: true, readOnlyRootFilesystem: true });
      expect(pod.automountServiceAccountToken).toBe(false);
    },
  );

  test('tells every server the same metadata servers, by names that pods have', () => {
    const manifests = render({ set: ['meta.replicaCount=5'] });
    const argument = (kind: string, role: string, flag: string): string => {
      const { args } = named(manifests, kind, `here-quiver-${role}`).spec.template.spec.containers[0];
      return args[args.indexOf(flag) + 1] ?? `no ${flag}`;
    };
    const hosts = [0, 1, 2, 3, 4].map(
      (i) =>
        `here-quiver-meta-${i}=http://here-quiver-meta-${i}.here-quiver-meta-headless.ns.svc.cluster.local:6335`,
    );
    expect(argument('StatefulSet', 'meta', '--peers')).toBe(hosts.join(','));
    const urls = hosts.map((host) => host.slice(host.indexOf('=') + 1)).join(',');
    expect(argument('StatefulSet', 'shard', '--meta')).toBe(urls);
    expect(argument('Deployment', 'router', '--meta')).toBe(urls);
    expect(argument('StatefulSet', 'shard', '--advertise')).toBe(
      'http://$(POD_NAME).here-quiver-shard-headless.ns.svc.cluster.local:6335',
    );
  });

  test('has a test pod whose script works against a server, and fails against none', async () => {
    const [script] = named(render(), 'Pod', 'here-quiver-test').spec.containers[0].args;
    const server = await startQuiver();
    const against = (url: string) =>
      run(process.execPath, [
        '--input-type=module',
        '--eval',
        script!.replace('http://here-quiver:6333', url),
      ]);
    try {
      const done = against(server.url);
      expect(done.stderr).toBe('');
      expect(done.status).toBe(0);
    } finally {
      await server.stop();
    }
    expect(against(server.url).status).not.toBe(0);
  });
});
