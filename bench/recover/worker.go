package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/worker"
)

// workerFlag makes this program a worker:
//
//	recover -worker URL SLOTS
//
// It prints the name of every job it begins to run.
const workerFlag = "-worker"

// The function never ends by itself, and is expected to take so long that
// nobody takes a second lease of it because the first is slow.
const (
	holdName = "hold"
	holdCost = 10 * time.Minute
)

// holdInput names a job.
type holdInput struct {
	Name string `json:"name"`
}

// work is the worker's process.
func work(url string, slots string) error {
	parallel, err := strconv.Atoi(slots)
	if err != nil {
		return err
	}
	f := worker.Call(holdName, func(ctx context.Context, input json.RawMessage) (any, error) {
		var in holdInput
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		fmt.Println(in.Name)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	return worker.Run(context.Background(), worker.Options{Server: url, Parallel: parallel}, f.Cost(holdCost).Silent(holdCost))
}

// startedWorker is a worker in a process of its own.
type startedWorker struct {
	*process.Process
	begun chan string // names of jobs it has begun to run
	line  bytes.Buffer
}

func startWorker(ctx context.Context, url string, slots int) (w *startedWorker, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	const jobs = 16 // more than there are in a trial
	w = &startedWorker{begun: make(chan string, jobs)}
	cmd := exec.CommandContext(ctx, self, workerFlag, url, strconv.Itoa(slots))
	cmd.Stdout = w
	w.Process, err = process.Start(cmd)
	return w, err
}

// Write implements io.Writer: it takes what the worker prints.
func (w *startedWorker) Write(b []byte) (int, error) {
	w.line.Write(b)
	for bytes.ContainsRune(w.line.Bytes(), '\n') {
		name, err := w.line.ReadString('\n')
		if err != nil {
			return 0, err
		}
		w.begun <- name[:len(name)-1]
	}
	return len(b), nil
}

// runs waits until the worker begins to run the job of that name; any other
// one is an error.
func (w *startedWorker) runs(ctx context.Context, name string) error {
	select {
	case got := <-w.begun:
		if got != name {
			return fmt.Errorf("job %s runs where job %s should", got, name)
		}
		return nil
	case <-w.Ended():
		return fmt.Errorf("the worker ended before it ran job %s: %w", name, w.Err())
	case <-ctx.Done():
		return fmt.Errorf("job %s does not run: %w", name, ctx.Err())
	}
}

// heldJob is a job that was submitted.
type heldJob struct {
	name string
	id   polymath.JobID
}

// hold submits a job and waits until that worker runs it. Until a worker has
// joined that offers the function, the submission is refused, and repeated.
func hold(ctx context.Context, c *client.Client, w *startedWorker) (job heldJob, err error) {
	job.name = rand.Text()
	err = w.Ready(ctx, func(ctx context.Context) error {
		job.id, err = c.Submit(ctx, client.Request{Function: holdName, Input: holdInput{job.name}})
		return err
	})
	if err == nil {
		err = w.runs(ctx, job.name)
	}
	return job, err
}
