DROP TABLE token_check;
DROP TABLE test_token;
