// Package deps pins dependencies until their importers land.
package deps

import (
	_ "github.com/anishathalye/porcupine"
	_ "github.com/google/btree"
	_ "github.com/panjf2000/gnet/v2"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/tidwall/redcon"
	_ "golang.org/x/sys/unix"
)
