DROP TABLE console_handle;
