"""Those who run whole networks. Each module has a class ``Network``:

``Network(threads)``
    Imports the library and sets its threads. ``versions`` says what it is.
``load(graph, arrays, training)``
    Takes a network as `network_graph` writes it down.
``forward(x)``
    Returns the logits, as a NumPy array.
``step(x, labels)``
    Forward and backward of the cross-entropy, the gradients of all parameters; returns the loss.
"""
