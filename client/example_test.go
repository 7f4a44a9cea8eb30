package client_test

import (
	"context"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// One call submits a job, waits for it and gives its answer.
func ExampleClient_Run() {
	c, end := example() // client.Dial(ctx, "http://127.0.0.1:8080", client.Options{})
	defer end()
	answer, err := c.Run(context.Background(), client.Request{Function: "primes", Input: map[string]any{"to": 1_000_000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(answer))
	// Output: 78498
}

// Many requests travel together, and each has an outcome of its own.
func ExampleClient_SubmitMany() {
	c, end := example()
	defer end()
	ctx := context.Background()
	outcomes, err := c.SubmitMany(ctx, []client.Request{
		{Function: "add", Input: `{"a": 1, "b": 2}`},
		{Function: "divide", Input: `{"a": 1, "b": 0}`},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range outcomes {
		if o.Err != nil {
			fmt.Println(polymath.CodeOf(o.Err))
			continue
		}
		job, err := c.Wait(ctx, o.Job)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job.State, string(job.Answer))
	}
	// Output:
	// succeeded 3
	// invalid_argument
}

// A list is read page by page while it is ranged over.
func ExampleClient_Jobs() {
	c, end := example()
	defer end()
	ctx := context.Background()
	for n := range 3 {
		if _, err := c.Run(ctx, client.Request{Function: "add", Input: map[string]any{"a": n, "b": n}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for job, err := range c.Jobs(ctx, client.JobFilter{State: polymath.Succeeded, Page: 2}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job.Function, job.State, string(job.Input))
	}
	// Output:
	// add succeeded {"a":2,"b":2}
	// add succeeded {"a":1,"b":1}
	// add succeeded {"a":0,"b":0}
}

// Following a job shows how far it is, and ends with it.
func ExampleClient_Follow() {
	c, end := example()
	defer end()
	ctx := context.Background()
	id, err := c.Submit(ctx, client.Request{Function: "primes", Input: `{"to": 1e7}`})
	if err != nil {
		fmt.Println(err)
		return
	}
	state := ""
	for event, err := range c.Follow(ctx, id) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if event.Progress != nil {
			state = event.Progress.State
		}
	}
	fmt.Println(state)
	// Output: succeeded
}

// A queue that is paused takes jobs and grants no work.
func ExampleClient_SetQueue() {
	c, end := example()
	defer end()
	paused := true
	queue, err := c.SetQueue(context.Background(), "", "night", api.QueuePatch{Paused: &paused})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(queue.Name, queue.Paused)
	// Output: night true
}
