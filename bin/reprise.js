#!/usr/bin/env node
// The stub that npm links. CommonJS (see the package.json beside it), because Node starts it faster than a module.
'use strict';
require('../dist/cli/main.cjs');
