package main

import (
	"context"
	"strings"
)

// contestant is one kind of server, and one way to use it.
type contestant struct {
	name    string
	start   func(ctx context.Context, s settings, dir string) (*process, error)
	connect connect
}

type connect func(ctx context.Context, s settings, server *process) (team, error)

// team is all clients of one server.
type team struct {
	workers []worker
	// Gives up the connections: one that is left open would go on looking for its server while the next is measured.
	leave func()
}

// contestants in the order in which they are measured.
var contestants = []contestant{
	{"lessor", startLessor, boskos(netHTTP)},
	{"lessor-v1", startLessor, connectV1},
	{"lessor-lean", startLessor, boskos(fastHTTP)},
	{"nothing", startLessor, nothing(netHTTP)},
	{"nothing-lean", startLessor, nothing(fastHTTP)},
	{"redis", startRedis, connectRedis},
	{"etcd", startEtcd, connectEtcd},
}

func names() string {
	var all []string
	for _, c := range contestants {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}
