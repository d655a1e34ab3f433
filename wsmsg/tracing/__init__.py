"""
Traces of messages, as OpenTelemetry defines them: only a daemon with an endpoint
(C{traces.endpoint}) loads any of this.

::

    a stage of a message --TraceSpan--> SpanExport --thread--> OTLP endpoint

    context     the text that carries a trace from one daemon to the next: traceparent
    export      the bounded queue of spans, and the thread that exports them
    otlp        the exporter of OpenTelemetry, and its form of a span
    spans       a span, and the attributes of the conventions for messaging
"""
