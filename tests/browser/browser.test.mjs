// What people see in a browser: a headless Chromium before the real thing. `./build.sh test browser` runs this.

import './swagger.mjs';
import './cors.mjs';
import './routes.mjs';
