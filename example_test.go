package postrider_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider"
)

// answering is a server for the examples.
func answering(status int, body string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
}

func ExampleClient_Send() {
	server := answering(http.StatusAccepted, `{"object":"email","id":"01990000-0000-7000-8000-000000000000","status":"queued"}`)
	defer server.Close()

	client, err := postrider.NewClient(postrider.Config{URL: server.URL, Key: "pr_dev_key_not_a_secret"})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := client.Send(context.Background(), postrider.Email{
		From: "Shop <shop@example.com>", To: []string{"ann@example.com"},
		Subject: "Order 4711", Text: "It is on its way.",
		IdempotencyKey: "order-4711",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.ID, receipt.Status)
	// Output: 01990000-0000-7000-8000-000000000000 queued
}

func ExampleError() {
	server := answering(http.StatusUnprocessableEntity, `{"code":"validation_error","detail":"1 field is not right",
		"errors":[{"pointer":"/to/0","code":"invalid_address","detail":"must have the form name@example.com"}]}`)
	defer server.Close()

	client, err := postrider.NewClient(postrider.Config{URL: server.URL, Key: "pr_dev_key_not_a_secret"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Send(context.Background(), postrider.Email{From: "shop@example.com", To: []string{"ann"}, Text: "Hello"})
	var refused *postrider.Error
	if errors.As(err, &refused) {
		for _, f := range refused.Fields {
			fmt.Println(f.Pointer, f.Detail)
		}
	}
	// Output: /to/0 must have the form name@example.com
}

// The order and its email are one: whatever goes wrong leaves neither.
func ExampleEnqueue() {
	placeOrder := func(ctx context.Context, db *pgx.Conn, id int, customer string) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO orders (id, customer) VALUES ($1, $2)`, id, customer); err != nil {
				return err
			}
			_, err := postrider.Enqueue(ctx, tx, postrider.Email{
				From: "Shop <shop@example.com>", To: []string{customer},
				Subject: fmt.Sprint("Order ", id), Text: "It is on its way.",
				IdempotencyKey: fmt.Sprint("order-", id),
			})
			return err
		})
	}
	_ = placeOrder
}
