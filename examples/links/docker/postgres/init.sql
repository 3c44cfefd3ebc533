-- Runs once, when the database is made. Limits for every session, a person's psql included:
-- a forgotten transaction must not hold its locks for ever. The app sets tighter ones itself.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L', current_database(), '30s');
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'UTC');
END
$$;
