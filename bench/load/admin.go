package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Server is what a benchmark knows about the server under test.
type Server struct {
	Addr    string
	PID     int    // zero when the server does not say; CPU and memory are then unknown
	Version string // as INFO gives it: "redis 7.0.15", or both names of a server that has its own
}

// Describe asks the server at addr who it is.
func Describe(ctx context.Context, addr string) (Server, error) {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return Server{}, err
	}
	defer c.Close()
	text, err := c.rdb.Info(ctx, "server").Result()
	if err != nil {
		return Server{}, fmt.Errorf("load: INFO of %s: %w", addr, err)
	}
	s := Server{Addr: addr}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	s.PID, _ = strconv.Atoi(fields["process_id"]) // absent: zero, as documented
	s.Version = "redis " + fields["redis_version"]
	for _, own := range []string{"pulse", "valkey", "dragonfly"} {
		if v := fields[own+"_version"]; v != "" {
			s.Version = own + " " + v
		}
	}
	return s, nil
}

// Size returns how many keys database 0 of the server at addr holds.
func Size(ctx context.Context, addr string) (uint64, error) {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.dbSize(ctx)
}

// Flush deletes everything in the server at addr.
func Flush(ctx context.Context, addr string) error {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.rdb.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("load: FLUSHALL of %s: %w", addr, err)
	}
	return nil
}

// Missing returns which of the commands, "MEMORY PURGE" among them for a subcommand, the server at addr does not know.
func Missing(ctx context.Context, addr string, commands ...string) ([]string, error) {
	if len(commands) == 0 {
		return nil, nil // COMMAND INFO of nothing would list everything
	}
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	args := []any{"COMMAND", "INFO"}
	for _, name := range commands {
		args = append(args, strings.ToLower(strings.ReplaceAll(name, " ", "|")))
	}
	infos, err := c.rdb.Do(ctx, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("load: COMMAND INFO of %s: %w", addr, err)
	}
	var missing []string
	for i, name := range commands {
		if i >= len(infos) || infos[i] == nil {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// Purge sends MEMORY PURGE.
func Purge(ctx context.Context, addr string) error {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.rdb.Do(ctx, "MEMORY", "PURGE").Err(); err != nil {
		return fmt.Errorf("load: MEMORY PURGE of %s: %w", addr, err)
	}
	return nil
}

// admin is a client for the few requests that are not load.
type admin struct{ rdb *redis.Client }

func newClient(addr string, conns int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, Network: network(addr), PoolSize: conns, MaxRetries: -1,
		ReadTimeout: stallAfter, WriteTimeout: stallAfter,
	})
}

func dialAdmin(ctx context.Context, addr string) (admin, error) {
	a := admin{rdb: newClient(addr, 1)}
	if err := a.rdb.Ping(ctx).Err(); err != nil {
		_ = a.rdb.Close()
		return admin{}, fmt.Errorf("load: %s: %w", addr, err)
	}
	return a, nil
}

func (a admin) Close() { _ = a.rdb.Close() }

func (a admin) dbSize(ctx context.Context) (uint64, error) {
	n, err := a.rdb.DBSize(ctx).Result()
	if err != nil {
		return 0, err
	}
	return uint64(max(0, n)), nil
}
