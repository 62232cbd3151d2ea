#!/bin/sh
# Makes the roles when the container of Postgres starts with an empty volume.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v database="$POSTGRES_DB" \
    -v owner_password="$STAGEGATE_OWNER_PASSWORD" -v serve_password="$STAGEGATE_SERVE_PASSWORD" -f /roles.sql
