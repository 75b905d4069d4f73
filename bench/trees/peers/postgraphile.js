import { createServer } from 'node:http'
import { makePgService } from 'postgraphile/adaptors/pg'
import { context } from 'postgraphile/grafast'
import { grafserv } from 'postgraphile/grafserv/node'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { postgraphile } from 'postgraphile'
import { extendSchema } from 'postgraphile/utils'
import { userOf } from './login.js'

const me = extendSchema((build) => {
  const { user } = build.input.pgRegistry.pgResources
  return {
    typeDefs: 'extend type Query { me: User }',
    objects: { Query: { plans: { me: () => user.get({ key: context().get('userId') }) } } },
  }
})

// The global id is a column here, and keeps its name.
const ids = {
  name: 'ColumnIdsPlugin',
  version: '1.0.0',
  inflection: {
    replace: {
      _attributeName: (previous, options, details) => previous({ ...details, skipRowId: true }),
    },
  },
}

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [me, ids],
  // Nobody mutates here, ids are columns, and views have no indexes to say what may be ordered by.
  disablePlugins: ['NodePlugin', 'NodeAccessorPlugin', 'PgIndexBehaviorsPlugin', 'MutationPlugin'],
  pgServices: [
    makePgService({
      connectionString:
        `postgresql:///graphfolio?host=${process.env.PEER_SOCKETS}&user=graphfolio_app&options=-c%20jit%3Doff%20-c%20plan_cache_mode%3Dforce_generic_plan`,
      schemas: ['peers'],
      poolConfig: { max: Number(process.env.PEER_POOL), idleTimeoutMillis: 0 },
    }),
  ],
  grafast: {
    context: (request) => {
      const userId = userOf(request.node.req.headers)
      return { userId, pgSettings: { 'app.user_id': userId } }
    },
    explain: false,
  },
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false, maxRequestLength: 100_000 },
}

const server = createServer()
const serving = postgraphile(preset).createServ(grafserv)
await serving.addTo(server)
server.listen(Number(process.argv[2]), '127.0.0.1')
