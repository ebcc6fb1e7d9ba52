import t from 'tap'
import { DEFAULT_IMAGE, dockerOptions } from './options.js'

void t.test('an image is a name, never an option of docker', (t) => {
  const imageOf = (image?: string, env = {}) => dockerOptions(env, { image, allowOldEngine: false }).image
  for (const image of ['--privileged', '-v=/:/host', '', ' x'])
    t.throws(() => imageOf(image), /Invalid image name/, image)
  t.throws(() => imageOf(undefined, { EGRESS_IMAGE: '--privileged' }), /Invalid image name/)
  t.equal(imageOf('python:3.12-slim'), 'python:3.12-slim')
  t.equal(imageOf('localhost:5000/a/b@sha256:0123'), 'localhost:5000/a/b@sha256:0123')
  t.equal(imageOf(undefined, { EGRESS_IMAGE: '' }), DEFAULT_IMAGE)
  t.end()
})
