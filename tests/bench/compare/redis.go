package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// startRedis runs a Redis that has every command on disk before it answers, and makes no snapshots in between.
func startRedis(ctx context.Context, _ settings, dir string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	probe := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})
	defer probe.Close()
	ready := func(ctx context.Context) error { return probe.Ping(ctx).Err() }
	return launch(ctx, dir, address, "redis-server", ready,
		"--bind", host, "--port", port, "--dir", dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
}

func connectRedis(_ context.Context, s settings, server *process) (team, error) {
	client := redis.NewClient(&redis.Options{
		Addr:         server.address,
		PoolSize:     s.clients,
		MinIdleConns: s.clients,
		MaxRetries:   -1,
	})
	var workers []worker
	for i := range s.clients {
		key, owner := fmt.Sprintf("bench-%d", i), fmt.Sprintf("client-%d", i)
		workers = append(workers, func(ctx context.Context) error {
			got, err := client.SetArgs(ctx, key, owner, redis.SetArgs{Mode: "NX", TTL: time.Minute}).Result()
			if err != nil {
				return err
			}
			if got != "OK" {
				return errors.New("somebody holds the key")
			}
			return client.Del(ctx, key).Err()
		})
	}
	leave := func() { _ = client.Close() } // It is done with; nothing is lost if this fails.
	return team{workers, leave}, nil
}
