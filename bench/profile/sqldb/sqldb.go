// Package sqldb keeps profiles in a SQL database, as the Source of a profile.Cache.
//
// Contract: Load returns what the last Save that had returned before Load began has stored, or what a later one has; Save stores
// all fields of a profile or none. What Save has stored survives the end of the process. A DB may be used by any number of
// goroutines, and several processes may open the same database.
//
// How: one row for each profile, its fields as a JSON object, read and written by one statement each. SQLite is part of the
// program and needs nothing installed; it runs with a write-ahead log, so readers do not wait for a writer, and a writer waits
// for another for up to five seconds. MySQL and MariaDB are reached by the name of their data source.
//
// Trade-offs. Fields in one column need no migration when a field comes along, and make a profile one row to read; they cannot
// be searched by an index. A SQLite file is written by one transaction at a time and belongs on a local disk. A DB must
// read from where it writes: a replica that lags would fill the cache with what was there before an update.
package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // the driver named sqlite

	"github.com/streampulse/pulse/bench/profile"
)

const (
	connections = 16
	dialTimeout = 5 * time.Second
	timeLimit   = 10 * time.Second // of a statement to which its caller gave no end

	sqliteName = "sqlite:"
	mysqlName  = "mysql:"
)

// dialect is what the two kinds of databases say differently.
type dialect struct{ create, save string }

var (
	sqliteDialect = dialect{
		create: `CREATE TABLE IF NOT EXISTS profiles (id TEXT NOT NULL PRIMARY KEY, fields TEXT NOT NULL) WITHOUT ROWID`,
		save:   `INSERT INTO profiles (id, fields) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET fields = excluded.fields`,
	}
	// Ids are bytes: a collation would take ann and ANN, or what differs by an accent, for one.
	mysqlDialect = dialect{
		create: `CREATE TABLE IF NOT EXISTS profiles (id VARBINARY(512) NOT NULL PRIMARY KEY, fields MEDIUMBLOB NOT NULL)`,
		save:   `INSERT INTO profiles (id, fields) VALUES (?, ?) ON DUPLICATE KEY UPDATE fields = VALUES(fields)`,
	}
)

// DB is a database with a table of profiles.
type DB struct {
	db   *sql.DB
	load *sql.Stmt
	save *sql.Stmt
}

var _ profile.Source = (*DB)(nil)

// Open opens a database and makes the table when it is not there. The name is "sqlite:" and the path of a file, or
// "mysql:" and a data source name such as user:password@tcp(host:3306)/database; what has neither prefix is a path. Errors
// never contain the password.
func Open(ctx context.Context, name string) (*DB, error) {
	db, d, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	s, err := prepare(ctx, db, d)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", errors.Join(err, db.Close()))
	}
	return s, nil
}

func open(name string) (*sql.DB, dialect, error) {
	if dsn, ok := strings.CutPrefix(name, mysqlName); ok {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, dialect{}, errors.New("not a data source name for MySQL") // the driver's error may quote it
		}
		if cfg.Timeout == 0 {
			cfg.Timeout = dialTimeout
		}
		c, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, dialect{}, errors.New("not a data source name for MySQL")
		}
		db := sql.OpenDB(c)
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		db.SetConnMaxLifetime(5 * time.Minute) // below what servers and balancers allow an idle connection
		return db, mysqlDialect, nil
	}
	dsn, err := sqliteDSN(strings.TrimPrefix(name, sqliteName))
	if err != nil {
		return nil, dialect{}, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, dialect{}, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, sqliteDialect, nil
}

// sqliteDSN makes a URI of a path, so that no character of it is taken for an option.
func sqliteDSN(path string) (string, error) {
	switch {
	case path == "" || strings.ContainsRune(path, 0):
		return "", errors.New("not a path for a database")
	case strings.HasPrefix(path, ":memory:"), strings.HasPrefix(path, "file:"):
		return "", errors.New("a database is a file, given by its path alone")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // a drive letter
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)"},
		"_txlock": {"immediate"},
	}.Encode()}
	return u.String(), nil
}

func prepare(ctx context.Context, db *sql.DB, d dialect) (*DB, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if _, err := db.ExecContext(ctx, d.create); err != nil {
		return nil, err
	}
	s := &DB{db: db}
	var err error
	if s.load, err = db.PrepareContext(ctx, `SELECT fields FROM profiles WHERE id = ?`); err != nil {
		return nil, err
	}
	if s.save, err = db.PrepareContext(ctx, d.save); err != nil {
		return nil, errors.Join(err, s.load.Close())
	}
	return s, nil
}

// Close closes the connections.
func (s *DB) Close() error {
	return errors.Join(s.load.Close(), s.save.Close(), s.db.Close())
}

// Load returns the profile of id, or profile.ErrNotFound.
func (s *DB) Load(ctx context.Context, id string) (profile.Profile, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var fields []byte
	err := s.load.QueryRowContext(ctx, id).Scan(&fields)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, profile.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	var p profile.Profile
	if err := json.Unmarshal(fields, &p); err != nil {
		return nil, fmt.Errorf("sqldb: row of %q: %w", id, err)
	}
	return p, nil
}

// Save stores p in place of what is there for id. Both must be as profile.Check wants them.
func (s *DB) Save(ctx context.Context, id string, p profile.Profile) error {
	if err := profile.Check(id, p); err != nil {
		return err
	}
	fields, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("sqldb: %w", err)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if _, err := s.save.ExecContext(ctx, id, fields); err != nil {
		return fmt.Errorf("sqldb: %w", err)
	}
	return nil
}

// bounded gives an end to a context that has none, so that a database that hangs does not hang its callers.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeLimit)
}
