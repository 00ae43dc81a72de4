package limit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/bench/result"
)

const (
	dropTable   = `DROP SCHEMA IF EXISTS bench_limit CASCADE`
	createTable = `CREATE SCHEMA bench_limit
		CREATE TABLE mail (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)`
	insertOne  = `INSERT INTO bench_limit.mail (text) VALUES ($1)`
	insertMany = `INSERT INTO bench_limit.mail (text) SELECT unnest($1::text[])`

	rowsPerCommit  = 100
	insertSessions = 8
)

// Commits notes rows inserted a second, each in a commit of its own, over 1, 8 and 32
// connections: commit-1.rate, commit-8.rate, commit-32.rate.
func (p Parts) Commits(ctx context.Context, run *result.Run, round int) error {
	for _, sessions := range []int{1, 8, 32} {
		name := fmt.Sprintf("commit-%d", sessions)
		perSecond, err := p.inserts(ctx, sessions, insertOne, rowText())
		if err != nil {
			return failed(err, "%s", name)
		}
		note(run, round, name, perSecond)
	}
	return nil
}

// Inserts notes rows inserted a second, a hundred in a commit, over 8 connections:
// insert-100.rate.
func (p Parts) Inserts(ctx context.Context, run *result.Run, round int) error {
	rows := make([]string, rowsPerCommit)
	for i := range rows {
		rows[i] = rowText()
	}
	name := fmt.Sprintf("insert-%d", rowsPerCommit)
	perSecond, err := p.inserts(ctx, insertSessions, insertMany, rows)
	if err != nil {
		return failed(err, "%s", name)
	}
	note(run, round, name, perSecond*rowsPerCommit)
	return nil
}

// inserts is how often a second the statement runs, on a table that is there for as long.
func (p Parts) inserts(ctx context.Context, sessions int, statement string, arg any) (perSecond float64, err error) {
	admin, err := pgx.Connect(ctx, p.Database)
	if err != nil {
		return 0, err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	defer func() {
		_, dropped := admin.Exec(context.WithoutCancel(ctx), dropTable)
		err = errors.Join(err, dropped)
	}()
	for _, sql := range []string{dropTable, createTable} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	var open closer
	defer func() { open.close() }()
	steps, err := several(sessions, func() (step, error) { return p.inserter(ctx, &open, statement, arg) })
	if err != nil {
		return 0, err
	}
	return p.rate(ctx, steps)
}

// inserter prepares the statement on a connection of its own.
func (p Parts) inserter(ctx context.Context, open *closer, statement string, arg any) (step, error) {
	conn, err := pgx.Connect(ctx, p.Database)
	if err != nil {
		return nil, err
	}
	open.add(func() error { return conn.Close(context.WithoutCancel(ctx)) })
	if _, err := conn.Prepare(ctx, "insert", statement); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "insert", arg)
		return err
	}, nil
}
