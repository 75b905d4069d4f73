import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { userOf } from './login.js'
import { lists, node, user } from './reading.js'

const loaders = {}
for (const [type, fields] of Object.entries(lists)) {
  loaders[type] = {}
  for (const [name, read] of Object.entries(fields)) {
    loaders[type][name] = {
      loader: (queries, { userId }) =>
        read(userId, queries.map(({ obj, params }) => ({ parent: obj.key, ...params }))),
      opts: { cache: false },
    }
  }
}

const app = Fastify({ logger: false })
app.register(mercurius, {
  schema: readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'),
  resolvers: {
    Query: {
      me: (_, __, { userId }) => user(userId),
      node: (_, { id }, { userId }) => node(userId, id),
    },
  },
  loaders,
  context: (request) => ({ userId: userOf(request.headers) }),
  jit: 1,
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
