package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/polymath-run/polymath/bench/process"
)

// How River is driven: as often as it lets itself be.
const (
	riverSubmitPool = callers
	riverWorkPool   = 20
	riverCooldown   = 2 * time.Millisecond
	riverPoll       = 20 * time.Millisecond
	riverEvents     = 1 << 20 // that may wait to be read; more are lost
)

// riverSystem is River on PostgreSQL.
type riverSystem struct {
	postgres *postgres
	slots    int      // of the worker
	settings []string // of PostgreSQL, beyond the common ones

	board     *board
	pools     []*pgxpool.Pool
	inserter  *river.Client[pgx.Tx]
	worker    *river.Client[pgx.Tx] // nil until it works
	announcer sync.WaitGroup
	cancel    func() // ends the announcements
}

// riverArgs is a job's input: JSON of 100 bytes.
type riverArgs struct {
	Text string `json:"t"`
}

// Kind implements river.JobArgs.
func (riverArgs) Kind() string { return "nothing" }

// newRiverArgs is an input of the right size, of which the frame takes 8 bytes.
func newRiverArgs() riverArgs { return riverArgs{text(inputBytes - len(`{"t":""}`))} }

// riverNothing is the function.
type riverNothing struct {
	river.WorkerDefaults[riverArgs]
}

// Work implements river.Worker.
func (riverNothing) Work(ctx context.Context, _ *river.Job[riverArgs]) error {
	return river.RecordOutput(ctx, text(outputBytes-len(`""`)))
}

func (s *riverSystem) start(ctx context.Context, _ string) (err error) {
	s.board, s.pools = newBoard(), nil
	if err := s.postgres.start(ctx, s.settings...); err != nil {
		return err
	}
	submitting, err := s.pool(ctx, riverSubmitPool)
	if err != nil {
		return err
	}
	working, err := s.pool(ctx, riverWorkPool)
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(riverpgxv5.New(submitting), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if s.inserter, err = river.NewClient(riverpgxv5.New(submitting), &river.Config{Logger: quiet}); err != nil {
		return err
	}
	return s.work(ctx, working, quiet)
}

func (s *riverSystem) pool(ctx context.Context, size int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(s.postgres.url())
	if err != nil {
		return nil, err
	}
	config.MaxConns = size
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err == nil {
		s.pools = append(s.pools, pool)
	}
	return pool, err
}

// work starts the worker and what announces its results.
func (s *riverSystem) work(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	functions := river.NewWorkers()
	river.AddWorker(functions, riverNothing{})
	worker, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: log, Workers: functions,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: s.slots}},
		FetchCooldown: riverCooldown, FetchPollInterval: riverPoll,
	})
	if err != nil {
		return err
	}
	events, cancel := worker.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: riverEvents, Kinds: []river.EventKind{river.EventKindJobCompleted},
	})
	s.cancel = cancel
	board := s.board
	s.announcer.Go(func() {
		for e := range events {
			board.announce(strconv.FormatInt(e.Job.ID, 10))
		}
	})
	if err := worker.Start(ctx); err != nil {
		return err
	}
	s.worker = worker
	return nil
}

func (s *riverSystem) submit(ctx context.Context) (string, error) {
	r, err := s.inserter.Insert(ctx, newRiverArgs(), nil)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(r.Job.ID, 10), nil
}

// submitMany uses COPY, the faster of River's two ways.
func (s *riverSystem) submitMany(ctx context.Context, n int) error {
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i].Args = newRiverArgs()
	}
	_, err := s.inserter.InsertManyFast(ctx, jobs)
	return err
}

func (s *riverSystem) wait(ctx context.Context, job string) error { return s.board.wait(ctx, job) }

// drain waits for the announcements, and then asks the database.
func (s *riverSystem) drain(ctx context.Context, n int) error {
	if err := s.board.drain(ctx, n); err != nil {
		return err
	}
	have, err := s.postgres.number(ctx, "select count(*) from river_job where state = 'completed' and metadata ? 'output'")
	if err == nil && have != n {
		err = fmt.Errorf("%d jobs are completed with an output, not %d", have, n)
	}
	return err
}

func (s *riverSystem) server() *process.Process { return s.postgres.process }

func (s *riverSystem) syncs(ctx context.Context) (int, error) {
	if err := s.leave(); err != nil {
		return 0, err
	}
	return s.postgres.syncs(ctx)
}

// leave ends the worker and closes all connections.
func (s *riverSystem) leave() error {
	var err error
	if s.worker != nil {
		stopping, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		err = s.worker.Stop(stopping)
		s.worker = nil
	}
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	s.announcer.Wait()
	for _, pool := range s.pools {
		pool.Close()
	}
	s.pools = nil
	return err
}

func (s *riverSystem) close() error { return errors.Join(s.leave(), s.postgres.stop()) }
