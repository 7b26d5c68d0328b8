package commands

// A gate looks at a request before it runs and may refuse it. Gates are asked in order; the first error is the reply.
type gate func(c *Conn, k *Call) error

// gates is the order of Redis's processCommand.
var gates = [...]gate{
	gateArity,
	gateAuth,
	gateOOM,
	gateDisk,
	gateSubscriber,
	gateLoading,
	gatePause,
	gateMulti,
}

func gateArity(_ *Conn, k *Call) error {
	n := len(k.Args)
	if a := k.Spec.Arity; a > 0 && n != a || n < -a {
		return errArity(k.Spec)
	}
	return nil
}

func gateAuth(c *Conn, k *Call) error {
	if c.Authenticated || k.Spec.Flags&NoAuth != 0 || !c.Env.Users().MustLogin() {
		return gateACL(c, k)
	}
	return ErrNoAuth
}

// gateSubscriber keeps a RESP2 subscriber to the commands whose replies it can tell from messages.
func gateSubscriber(c *Conn, k *Call) error {
	if !c.subscribed() || k.Spec.Group == GroupPubSub && k.Spec.Flags&NoScript != 0 {
		return nil
	}
	switch k.Spec.full {
	case "ping", "quit", "reset":
		return nil
	}
	return errSubscriber(k.Spec)
}

// gateMulti queues what comes between MULTI and EXEC.
func gateMulti(c *Conn, k *Call) error {
	if c.Monitor && !mayMonitor(k.Spec) {
		return ErrMonitorKeys
	}
	if c.multi == nil {
		return nil
	}
	if k.Spec.Flags&NoMulti != 0 {
		return ErrNotInMulti
	}
	switch k.Spec.full {
	case "multi", "exec", "discard", "watch", "quit", "reset":
		return nil
	}
	c.multi.add(k.Spec, k.Args, k.mayWrite())
	return errQueued
}

// gatePause makes the client wait while CLIENT PAUSE is in force. A transaction waits if anything in it would.
func gatePause(c *Conn, k *Call) error {
	write := k.Spec.Flags&(Write|MayReplicate) != 0 || k.Spec.Flags&OwnLocks != 0 && c.multi.mayWrite() && k.Spec.full == "exec"
	if !c.Env.Paused(write) || k.Spec.full == "client|unpause" {
		return nil
	}
	if write && k.Spec.full != "exec" && !k.mayWrite() && !c.Env.Paused(false) {
		return nil
	}
	return errPostponed
}
