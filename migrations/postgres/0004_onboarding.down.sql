DROP TABLE relay_grant;
DROP TABLE sealing_key;
