/** Use cases of aliases. */
import type { Api } from './api.ts';
import { requireFullAccess } from './access.ts';
import type { UseCaseOptions } from './create-api.ts';

export function aliasUseCases(options: UseCaseOptions): Pick<Api, 'changeAliases' | 'listAliases'> {
  const { meta } = options;
  return {
    async changeAliases(actions, context) {
      requireFullAccess(context);
      if (actions.length > 0)
        await meta.propose({ kind: 'change_aliases', actions }, { deadlineMs: context.deadlineMs });
      return true;
    },
    /** Of a name that is no collection (an alias, or nothing) there are none. */
    listAliases(collection) {
      const found: { alias: string; collection: string }[] = [];
      for (const [alias, target] of meta.catalogue().aliases)
        if (collection === null || collection === target) found.push({ alias, collection: target });
      return found.sort((a, b) => (a.alias < b.alias ? -1 : 1));
    },
  };
}
