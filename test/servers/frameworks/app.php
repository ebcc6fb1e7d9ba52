<?php
// An application like many: a POST takes its method from header, query or form, and paths are compared without case.
$method = $_SERVER['REQUEST_METHOD'];
$named = $_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE'] ?? $_GET['_method'] ?? $_POST['_method'] ?? null;
if (is_array($named)) $named = reset($named);
if ($method === 'POST' && is_string($named) && $named !== '') $method = strtoupper($named);
$path = $_SERVER['HTTP_X_ORIGINAL_URL'] ?? $_SERVER['HTTP_X_REWRITE_URL'] ?? $_SERVER['REQUEST_URI'];
$path = strtolower(rtrim(rawurldecode(strtok($path, '?')), '/. '));
$line = "$method $path " . ($_SERVER['HTTP_X_FORWARDED_HOST'] ?? '-') . "\n";
file_put_contents(getenv('EXECUTED'), $line, FILE_APPEND);
echo $line;
return true;
