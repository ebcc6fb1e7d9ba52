// Express with method-override, as its README shows it. Arguments: port.
const { appendFileSync } = require('node:fs')
const express = require('express')
const methodOverride = require('method-override')

const app = express()
app.use(express.urlencoded({ extended: true }))
app.use(methodOverride('_method'))
app.use(methodOverride('X-HTTP-Method-Override'))
app.use(methodOverride((request) => request.body?._method))
const answer = (route) => (request, response) => {
  const line = `${request.method} ${route} -\n`
  appendFileSync(process.env.EXECUTED, line)
  response.send(line)
}
app.all('/api/admin', answer('/api/admin'))
app.all('/api/admin/:item', answer('/api/admin'))
app.all('/api/*rest', answer('/api/other'))
app.listen(Number(process.argv[2]), '127.0.0.1')
