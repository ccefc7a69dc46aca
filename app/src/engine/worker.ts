// The worker that restores.

import 'limpid/web/worker'
