package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// identity is what the program calls itself. Scripts and test suites look for the words of redis-server, so called by that
// name it uses them.
type identity struct {
	program string // as it was called
	product string // Pulse or Redis
}

func identify(arg0 string) identity {
	base := strings.TrimSuffix(filepath.Base(arg0), ".exe")
	if base == "redis-server" {
		return identity{arg0, "Redis"}
	}
	return identity{arg0, "Pulse"}
}

func (id identity) isRedis() bool { return id.product == "Redis" }

// version is the answer to --version.
func (id identity) version() string {
	own := ""
	if !id.isRedis() {
		own = " pulse=" + server.Version
	}
	return fmt.Sprintf("%s server v=%s%s sha=00000000:0 malloc=go bits=64 build=%s\n", id.product, commands.RedisVersion, own, buildID())
}

// buildID is 16 hexadecimal digits that depend on the version and on the compiler.
func buildID() string {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(server.Version + runtime.Version() + runtime.GOOS + runtime.GOARCH) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return fmt.Sprintf("%016x", h)
}

// announce logs the first lines.
func (id identity) announce(logger *log.Logger, cfg *config.Config, pid int, configured bool) {
	stars := "oO0OoO0OoO0Oo"
	logger.Noticef("%s %s is starting %s", stars, id.product, stars)
	if id.isRedis() {
		logger.Noticef("Redis version=%s, bits=64, commit=00000000, modified=0, pid=%d, just started", commands.RedisVersion, pid)
	} else {
		logger.Noticef("Pulse version=%s, compatible with Redis version=%s, bits=64, pid=%d, just started", server.Version, commands.RedisVersion, pid)
	}
	if configured {
		logger.Noticef("Configuration loaded")
	} else {
		logger.Warningf("Warning: no config file specified, using the default config. In order to specify a config file use %s /path/to/redis.conf", id.program)
	}
	logger.SetRole(log.Master)
	port := cfg.Int("port").Load()
	if port == 0 {
		port = cfg.Int("tls-port").Load()
	}
	logger.Noticef("Running mode=standalone, port=%d. PID: %d", port, pid)
}

// usage is the answer to --help.
func (id identity) usage() string {
	return strings.ReplaceAll(`Usage: PROGRAM [/path/to/redis.conf] [options] [-]
       PROGRAM - (read config from stdin)
       PROGRAM -v or --version
       PROGRAM -h or --help
       PROGRAM --check-system

Examples:
       PROGRAM (run the server with default conf)
       echo 'maxmemory 128mb' | PROGRAM -
       PROGRAM /etc/redis/6379.conf
       PROGRAM --port 7777
       PROGRAM /etc/myredis.conf --loglevel verbose -
       PROGRAM /etc/myredis.conf --loglevel verbose
`, "PROGRAM", id.program)
}
