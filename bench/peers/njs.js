// Hands on what comes from either side.
function forward(s) {
    s.on("upload", function (data, flags) {
        s.send(data, flags);
    });
    s.on("download", function (data, flags) {
        s.send(data, flags);
    });
}

export default { forward };
