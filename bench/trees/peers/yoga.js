import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { useGraphQlJit } from '@envelop/graphql-jit'
import DataLoader from 'dataloader'
import { createSchema, createYoga } from 'graphql-yoga'
import { userOf } from './login.js'
import { lists, node, user } from './reading.js'

const resolvers = {
  Query: {
    me: (_, __, { userId }) => user(userId),
    node: (_, { id }, { userId }) => node(userId, id),
  },
  Node: { __resolveType: (object) => object.__typename },
}
for (const [type, fields] of Object.entries(lists)) {
  resolvers[type] = {}
  for (const [name, read] of Object.entries(fields)) {
    resolvers[type][name] = (object, params, { userId, loaders }) => {
      loaders[name] ??= new DataLoader((pages) => read(userId, pages), { cache: false })
      return loaders[name].load({ parent: object.key, ...params })
    }
  }
}

const yoga = createYoga({
  schema: createSchema({
    typeDefs: readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'),
    resolvers,
  }),
  context: ({ req }) => ({ userId: userOf(req.headers), loaders: {} }),
  plugins: [useGraphQlJit()],
  graphiql: false,
  landingPage: false,
  multipart: false,
  cors: false,
  logging: 'warn',
})
createServer(yoga).listen(Number(process.argv[2]), '127.0.0.1')
