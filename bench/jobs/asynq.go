package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/polymath-run/polymath/bench/process"
)

// How Asynq is driven. Tasks are kept after they finished, or there would be no
// result to read.
const (
	asynqSlots     = 64 // of each of its servers, which are what runs tasks
	asynqPool      = 64 // connections of each of its clients
	asynqCheck     = 10 * time.Millisecond
	asynqRetention = time.Hour
	asynqPoll      = 2 * time.Millisecond // of ours, for what has finished
)

// Where Asynq keeps its books in Redis.
const (
	asynqFinished = "asynq:{default}:completed"
	asynqTask     = "asynq:{default}:t:"
)

// asynqSystem is Asynq on Redis.
type asynqSystem struct {
	redis   *redisServer
	servers int // of Asynq, in this process: workers with loops of their own

	client  *asynq.Client
	workers []*asynq.Server
	board   *board
	watch   *watch
}

func (s *asynqSystem) start(ctx context.Context, dir string) error {
	if err := s.redis.start(ctx, dir); err != nil {
		return err
	}
	s.board = newBoard()
	s.watch = newWatch(s.redis.client, s.board)
	place := asynq.RedisClientOpt{Network: "unix", Addr: s.redis.socket(), PoolSize: asynqPool}
	s.client = asynq.NewClient(place)
	result := []byte(text(outputBytes))
	for range s.servers {
		w := asynq.NewServer(place, asynq.Config{
			Concurrency: asynqSlots, LogLevel: asynq.FatalLevel, TaskCheckInterval: asynqCheck,
		})
		err := w.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
			_, err := t.ResultWriter().Write(result)
			return err
		}))
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	return nil
}

func (s *asynqSystem) submit(ctx context.Context) (string, error) {
	info, err := s.client.EnqueueContext(ctx, asynq.NewTask("nothing", []byte(text(inputBytes))), asynq.Retention(asynqRetention))
	if err != nil {
		return "", err
	}
	return info.ID, nil
}

func (s *asynqSystem) wait(ctx context.Context, job string) error {
	s.watch.add(job)
	return s.board.wait(ctx, job)
}

func (s *asynqSystem) drain(ctx context.Context, n int) error {
	tick := time.NewTicker(asynqPoll)
	defer tick.Stop()
	for {
		have, err := s.redis.client.ZCard(ctx, asynqFinished).Result()
		if err != nil {
			return err
		}
		if have == int64(n) {
			return s.check(ctx)
		}
		if have > int64(n) {
			return fmt.Errorf("%d jobs have finished, not %d", have, n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d jobs have finished: %w", have, n, ctx.Err())
		}
	}
}

// check reads the result of one of the jobs.
func (s *asynqSystem) check(ctx context.Context) error {
	last, err := s.redis.client.ZRange(ctx, asynqFinished, -1, -1).Result()
	if err != nil || len(last) == 0 {
		return errors.Join(errors.New("no job is among the finished ones"), err)
	}
	result, err := s.redis.client.HGet(ctx, asynqTask+last[0], "result").Result()
	if err == nil && result != text(outputBytes) {
		err = fmt.Errorf("the result of job %s is %q", last[0], result)
	}
	return err
}

func (s *asynqSystem) server() *process.Process { return s.redis.process }

func (s *asynqSystem) syncs(context.Context) (int, error) {
	if err := s.leave(); err != nil {
		return 0, err
	}
	return s.redis.syncs()
}

// trace implements traceable.
func (s *asynqSystem) trace(on bool) bool {
	s.redis.traced = on && s.redis.traceable
	return s.redis.traced == on
}

// leave ends the workers and closes the connections but the one that ends the
// server.
func (s *asynqSystem) leave() error {
	for _, w := range s.workers {
		w.Shutdown()
	}
	s.workers = nil
	if s.watch != nil {
		s.watch.stop()
		s.watch = nil
	}
	if s.client == nil {
		return nil
	}
	err := s.client.Close()
	s.client = nil
	return err
}

func (s *asynqSystem) close() error { return errors.Join(s.leave(), s.redis.stop()) }

// watch asks Redis for those jobs that somebody waits for, in one call for all,
// and announces what has finished: Asynq itself tells nobody.
type watch struct {
	redis *redis.Client
	board *board
	done  chan struct{}
	all   sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]bool
}

func newWatch(r *redis.Client, b *board) *watch {
	w := &watch{redis: r, board: b, done: make(chan struct{}), jobs: make(map[string]bool)}
	w.all.Go(w.run)
	return w
}

func (w *watch) add(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs[job] = true
}

func (w *watch) stop() {
	close(w.done)
	w.all.Wait()
}

func (w *watch) run() {
	tick := time.NewTicker(asynqPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-w.done:
			return
		}
	}
}

// look asks once. A job that cannot be read is asked for again, until who waits
// for it loses patience.
func (w *watch) look() {
	w.mu.Lock()
	jobs := make([]string, 0, len(w.jobs))
	for job := range w.jobs {
		jobs = append(jobs, job)
	}
	w.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	ctx := context.Background()
	states := make([]*redis.StringCmd, len(jobs))
	_, err := w.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, job := range jobs {
			states[i] = p.HGet(ctx, asynqTask+job, "state")
		}
		return nil
	})
	if err != nil {
		return
	}
	for i, job := range jobs {
		if states[i].Val() != "completed" {
			continue
		}
		w.board.announce(job)
		w.mu.Lock()
		delete(w.jobs, job)
		w.mu.Unlock()
	}
}
