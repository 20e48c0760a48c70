package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"time"
)

const importTimeout = 2 * time.Minute

func (j *journey) importOrders(ctx context.Context, file string) error {
	if err := refused("import", j.upload(ctx, file, "euros", nil)); err != nil {
		return err
	}
	var accepted struct {
		ID string `json:"import_id"`
	}
	if err := j.upload(ctx, file, "EUR", &accepted); err != nil {
		return err
	}
	var ended struct {
		Status, Failure string
		Accepted        int `json:"rows_accepted"`
		Rejected        int `json:"rows_rejected"`
	}
	err := until(ctx, "the import ends", importTimeout, func(ctx context.Context) (bool, error) {
		err := j.analytics(ctx, "imports/"+accepted.ID, &ended)
		return ended.Status == "completed" || ended.Status == "failed", err
	})
	if err != nil {
		return err
	}
	if ended.Status == "failed" {
		return fmt.Errorf("the import failed: %s", ended.Failure)
	}
	show(line{"step": "import", "import_id": accepted.ID, "rows_accepted": ended.Accepted, "rows_rejected": ended.Rejected})
	return nil
}

func (j *journey) numbers(ctx context.Context) error {
	var overview, cohorts line
	if err := j.analytics(ctx, "overview?granularity=month", &overview); err != nil {
		return err
	}
	show(line{"step": "overview", "overview": overview})
	if err := j.analytics(ctx, "cohorts?granularity=month", &cohorts); err != nil {
		return err
	}
	show(line{"step": "cohorts", "cohorts": cohorts})
	return nil
}

// upload sends the form of the contract: the part `options` is JSON, the part `file` the orders.
func (j *journey) upload(ctx context.Context, file, currency string, result any) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	options, err := json.Marshal(line{
		"delimiter": ",", "has_header": true, "date_format": "%Y-%m-%d", "currency": currency,
		"columns": line{"customer_id": "customer", "ordered_at": "day", "amount": "paid"},
	})
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	header := textproto.MIMEHeader{}
	header.Set("content-disposition", `form-data; name="options"`)
	header.Set("content-type", "application/json")
	part, err := form.CreatePart(header)
	if err != nil {
		return err
	}
	if _, err := part.Write(options); err != nil {
		return err
	}
	if part, err = form.CreateFormFile("file", filepath.Base(file)); err != nil {
		return err
	}
	_, err = part.Write(content)
	if err := errors.Join(err, form.Close()); err != nil {
		return err
	}
	one := request{app: "analytics", method: "POST", path: "/api/analytics/imports/orders", bearer: j.access}
	one.contentType, one.body = form.FormDataContentType(), body.Bytes()
	return j.omnify.call(ctx, one, result)
}
