package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func startEtcd(ctx context.Context, _ settings, dir string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	peer, err := freeAddress()
	if err != nil {
		return nil, err
	}
	client, err := dialEtcd(address)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ready := func(ctx context.Context) error {
		_, err := client.Get(ctx, "ready")
		return err
	}
	return launch(ctx, dir, address, "etcd", ready,
		"--name", "bench", "--data-dir", filepath.Join(dir, "data"),
		"--listen-client-urls", "http://"+address, "--advertise-client-urls", "http://"+address,
		"--listen-peer-urls", "http://"+peer, "--initial-advertise-peer-urls", "http://"+peer,
		"--initial-cluster", "bench=http://"+peer, "--logger", "zap", "--log-level", "error")
}

func dialEtcd(address string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{"http://" + address},
		DialTimeout: 5 * time.Second,
		// What goes wrong comes back as an error; what the client mutters meanwhile is of no use here.
		Logger: zap.NewNop(),
	})
}

func connectEtcd(_ context.Context, s settings, server *process) (team, error) {
	// Its protocol carries all clients over one connection, which it is faster with than with one for each.
	client, err := dialEtcd(server.address)
	if err != nil {
		return team{}, err
	}
	var workers []worker
	for i := range s.clients {
		key, owner := fmt.Sprintf("bench-%d", i), fmt.Sprintf("client-%d", i)
		workers = append(workers, func(ctx context.Context) error {
			lease, err := client.Grant(ctx, 60)
			if err != nil {
				return err
			}
			taken, err := client.Txn(ctx).
				If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
				Then(clientv3.OpPut(key, owner, clientv3.WithLease(lease.ID))).
				Commit()
			if err != nil {
				return err
			}
			if !taken.Succeeded {
				return errors.New("somebody holds the key")
			}
			_, err = client.Revoke(ctx, lease.ID)
			return err
		})
	}
	leave := func() { _ = client.Close() } // It is done with; nothing is lost if this fails.
	return team{workers, leave}, nil
}
