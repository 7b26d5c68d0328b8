package commands

import "github.com/streampulse/pulse/internal/resp"

var waitCommands = []Spec{
	{Name: "WAIT", Syntax: "numreplicas timeout", Arity: 3, Flags: Blocking, Group: GroupGeneric, Category: "@connection", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Waits until replicas have what the client has written.",
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"}, Run: waitReplicas},
}

// waitReplicas knows that there is no replica: who asks for one waits for the whole time.
func waitReplicas(c *Call) error {
	a := c.From(1)
	replicas, timeout := a.Int(), c.timeoutMs(&a)
	if a.Err() != nil {
		return a.Err()
	}
	none := func(w *resp.Writer) { w.Int(0) }
	if replicas <= 0 {
		none(c.Writer)
		return nil
	}
	return c.Block(Wait{Timeout: timeout, OnTimeout: none})
}
