// Express as most projects set it up, with method-override: says which handler ran, for which method.
const express = require('express')
const methodOverride = require('method-override')

const app = express()
app.use(methodOverride('_method'))
app.use(methodOverride('X-HTTP-Method-Override'))
app.all(['/api/admin', '/api/admin/:x'], (request, response) => response.send(`ADMIN ${request.method}`))
app.all('/api/*other', (request, response) => response.send(`other ${request.method}`))
app.listen(Number(process.env.PORT), '127.0.0.1')
