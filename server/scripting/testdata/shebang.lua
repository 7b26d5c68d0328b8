#!lua
return 1
---
#!lua flags=nope
return 1
---
#!foo
return 1
---
#!lua name=x
return 1
---
#!lua flags=no-writes,allow-stale
return x
---
#!lua
---
#!lua flags=no-writes flags=allow-oom
return KEYS[1]
---
#!
