package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/polymath-run/polymath/bench/process"
)

// serverConnections is how many PostgreSQL allows: both pools and ours.
const serverConnections = 120

// postgres is a cluster of its own, which listens on a Unix socket alone.
type postgres struct {
	bin     string // directory of the programs
	dir     string // data below data, sockets here
	account *syscall.Credential
	process *process.Process // nil while it does not run
}

// newPostgres makes an empty cluster below a place. PostgreSQL refuses to run
// as root: root hands it to the account of the Debian package.
func newPostgres(ctx context.Context, place string) (*postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, dir: filepath.Join(place, "postgres")}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if err := p.handOver(place); err != nil {
			return nil, err
		}
	}
	cmd := p.command(ctx, "initdb", "--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, said)
	}
	return p, nil
}

// postgresPrograms is the directory of the newest PostgreSQL there is.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New("postgres is not installed"), err)
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
	return filepath.Dir(newest), nil
}

// postgresVersion is the number in a path of a Debian package; 0 for others.
func postgresVersion(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// handOver gives the directory to the account, which must be able to reach it.
func (p *postgres) handOver(place string) error {
	account, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(os.Chmod(place, 0o711), os.Chown(p.dir, int(uid), int(gid)))
}

// command runs one of PostgreSQL's programs on the cluster.
func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	args = append([]string{"-D", filepath.Join(p.dir, "data")}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	cmd.Dir = p.dir
	return cmd
}

// settings are what is tuned: memory, and a log that is written in place and
// needs no checkpoint during a run. What makes a commit durable is as it comes,
// and is named only to be seen.
func (p *postgres) settings() []string {
	return []string{
		"listen_addresses=", "unix_socket_directories=" + p.dir, "max_connections=" + strconv.Itoa(serverConnections),
		"fsync=on", "synchronous_commit=on", "full_page_writes=on",
		"shared_buffers=512MB", "min_wal_size=2GB", "max_wal_size=4GB", "checkpoint_timeout=30min",
	}
}

// url is where the cluster is reached.
func (p *postgres) url() string { return "host=" + p.dir + " user=postgres dbname=postgres" }

// start starts the server, with settings beyond the common ones, and empties
// it. The checkpoint leaves recycled segments of the log, as they are in a
// server that has run for a while.
func (p *postgres) start(ctx context.Context, more ...string) (err error) {
	var args []string
	for _, s := range slices.Concat(p.settings(), more) {
		args = append(args, "-c", s)
	}
	if p.process, err = process.Start(p.command(ctx, "postgres", args...)); err != nil {
		return err
	}
	err = p.process.Ready(ctx, func(ctx context.Context) error { return p.exec(ctx, "select 1") })
	if err != nil {
		return err
	}
	return p.exec(ctx, "drop schema public cascade", "create schema public", "checkpoint")
}

// exec runs statements on a connection of their own.
func (p *postgres) exec(ctx context.Context, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// number asks for one number on a connection of its own.
func (p *postgres) number(ctx context.Context, query string) (n int, err error) {
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	err = conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// syncs is how often the log was synced since the server started. Sessions
// report what they did when they end: all others must have been closed.
func (p *postgres) syncs(ctx context.Context) (int, error) {
	err := p.process.Ready(ctx, func(ctx context.Context) error {
		n, err := p.number(ctx, "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
		if err == nil && n > 0 {
			err = fmt.Errorf("%d sessions are open", n)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return p.number(ctx, "select wal_sync from pg_stat_wal")
}

// stop stops the server.
func (p *postgres) stop() error {
	if p.process == nil {
		return nil
	}
	err := p.process.Stop()
	p.process = nil
	return err
}

// version is what the server calls itself.
func (p *postgres) version(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, filepath.Join(p.bin, "postgres"), "--version").Output()
	return strings.TrimSpace(string(said)), err
}
