//! Runs functions of a validated module on the CPU, expression by expression in f32: the very text of the shader files is
//! measured, with no device. It knows what those files use of WGSL and says so where something is missing.

pub mod jets;
pub mod measure;

use knotwork_shaders::{Root, compose, validate};
use naga::{
    BinaryOperator as B, Block, Expression as E, Function, Handle, Literal, MathFunction as M, Module,
    ScalarKind, Statement as S, UnaryOperator as U,
};
use std::{collections::HashMap, rc::Rc};

/// A value of a shader.
#[derive(Clone, Debug)]
pub enum Value {
    Float(f32),
    Uint(u32),
    Int(i32),
    Bool(bool),
    /// A struct or an array.
    Parts(Rc<Vec<Value>>),
    /// A pointer to a local variable, or to one of its parts.
    Pointer(usize, Option<usize>),
}
use Value::{Bool, Float, Int, Parts, Pointer, Uint};

/// A module that can be run.
pub struct Shader {
    module: Module,
    functions: HashMap<String, Handle<Function>>,
    constants: Vec<Value>,
    /// Whether a product that is added at once goes without rounding, as a driver may do.
    fused: bool,
}

impl Shader {
    pub fn load(name: &str, fused: bool) -> Self {
        let composed = compose(Root::Named(name), &[], &[]).unwrap();
        let module = validate(&composed).unwrap_or_else(|error| panic!("{error}")).module;
        let functions =
            module.functions.iter().map(|(handle, f)| (f.name.clone().unwrap(), handle)).collect();
        let mut shader = Shader { module, functions, constants: Vec::new(), fused };
        for (_, constant) in shader.module.constants.iter() {
            let value = shader.global(constant.init);
            shader.constants.push(value);
        }
        shader
    }

    /// A function of one float, as a Rust function.
    pub fn unary(&self, name: &str) -> impl Fn(f32) -> f32 {
        let handle = self.functions[name];
        move |x| match self.call(handle, &[Float(x)]) {
            Some(Float(y)) => y,
            other => panic!("{name} gave {other:?}"),
        }
    }

    /// A function by name, of any values.
    pub fn run(&self, name: &str, arguments: &[Value]) -> Value {
        self.call(self.functions[name], arguments).unwrap()
    }

    fn global(&self, expression: Handle<E>) -> Value {
        let value = |handle: &Handle<E>| self.global(*handle);
        match &self.module.global_expressions[expression] {
            E::Literal(literal) => constant(*literal),
            E::Constant(handle) => self.constants[handle.index()].clone(),
            E::Compose { components, .. } => Parts(Rc::new(components.iter().map(value).collect())),
            other => panic!("no rule for the constant {other:?}"),
        }
    }

    fn call(&self, function: Handle<Function>, arguments: &[Value]) -> Option<Value> {
        let function = &self.module.functions[function];
        let mut frame = Frame {
            shader: self,
            function,
            arguments,
            known: vec![None; function.expressions.len()],
            locals: Vec::new(),
        };
        for (_, local) in function.local_variables.iter() {
            let value = local.init.map(|init| frame.value(init));
            frame.locals.push(value);
        }
        match frame.block(&function.body) {
            Flow::Return(value) => value,
            Flow::Next => None,
        }
    }
}

enum Flow {
    Next,
    Return(Option<Value>),
}

struct Frame<'a> {
    shader: &'a Shader,
    function: &'a Function,
    arguments: &'a [Value],
    known: Vec<Option<Value>>,
    locals: Vec<Option<Value>>,
}

impl Frame<'_> {
    fn block(&mut self, block: &Block) -> Flow {
        for statement in block.iter() {
            match statement {
                S::Emit(range) => {
                    for handle in range.clone() {
                        let value = self.evaluate(handle);
                        self.known[handle.index()] = Some(value);
                    }
                }
                S::Block(inner) => match self.block(inner) {
                    Flow::Next => {}
                    done => return done,
                },
                S::If { condition, accept, reject } => {
                    let branch = if self.truth(*condition) { accept } else { reject };
                    match self.block(branch) {
                        Flow::Next => {}
                        done => return done,
                    }
                }
                S::Store { pointer, value } => {
                    let value = self.value(*value);
                    match self.value(*pointer) {
                        Pointer(local, None) => self.locals[local] = Some(value),
                        other => panic!("no rule to store to {other:?}"),
                    }
                }
                S::Call { function, arguments, result } => {
                    let given: Vec<Value> = arguments.iter().map(|handle| self.value(*handle)).collect();
                    let value = self.shader.call(*function, &given);
                    if let Some(result) = result {
                        self.known[result.index()] = value;
                    }
                }
                S::Return { value } => return Flow::Return(value.map(|handle| self.value(handle))),
                other => panic!("no rule for the statement {other:?}"),
            }
        }
        Flow::Next
    }

    fn value(&mut self, handle: Handle<E>) -> Value {
        match &self.known[handle.index()] {
            Some(value) => value.clone(),
            None => self.evaluate(handle),
        }
    }

    fn truth(&mut self, handle: Handle<E>) -> bool {
        matches!(self.value(handle), Bool(true))
    }

    fn evaluate(&mut self, handle: Handle<E>) -> Value {
        match &self.function.expressions[handle] {
            E::Literal(literal) => constant(*literal),
            E::Constant(constant) => self.shader.constants[constant.index()].clone(),
            E::FunctionArgument(index) => self.arguments[*index as usize].clone(),
            E::LocalVariable(local) => Pointer(local.index(), None),
            E::Load { pointer } => match self.value(*pointer) {
                Pointer(local, None) => self.locals[local].clone().unwrap(),
                Pointer(local, Some(part)) => part_of(self.locals[local].as_ref().unwrap(), part),
                other => panic!("no rule to load {other:?}"),
            },
            E::Compose { components, .. } => {
                Parts(Rc::new(components.iter().map(|handle| self.value(*handle)).collect()))
            }
            E::AccessIndex { base, index } => access(self.value(*base), *index as usize),
            E::Access { base, index } => match self.value(*index) {
                Uint(index) => access(self.value(*base), index as usize),
                other => panic!("no rule for the index {other:?}"),
            },
            E::Unary { op, expr } => match (op, self.value(*expr)) {
                (U::Negate, Float(x)) => Float(-x),
                (U::Negate, Int(x)) => Int(x.wrapping_neg()),
                (U::LogicalNot, Bool(x)) => Bool(!x),
                (U::BitwiseNot, Int(x)) => Int(!x),
                other => panic!("no rule for {other:?}"),
            },
            E::Binary { op, left, right } => self.binary(*op, *left, *right),
            E::Select { condition, accept, reject } => {
                let chosen = if self.truth(*condition) { accept } else { reject };
                self.value(*chosen)
            }
            E::Math { fun, arg, arg1, arg2, .. } => {
                let mut float = |handle: &Handle<E>| match self.value(*handle) {
                    Float(x) => x,
                    other => panic!("no rule for {fun:?} of {other:?}"),
                };
                let x = float(arg);
                let mut rest = [arg1, arg2].map(|handle| handle.as_ref().map_or(0.0, &mut float));
                let [y, z] = &mut rest;
                Float(match fun {
                    M::Abs => x.abs(),
                    M::Round => x.round_ties_even(),
                    M::Floor => x.floor(),
                    M::Min => x.min(*y),
                    M::Max => x.max(*y),
                    M::Clamp => x.max(*y).min(*z),
                    M::Sqrt => x.sqrt(),
                    M::InverseSqrt => 1.0 / x.sqrt(),
                    other => panic!("no rule for {other:?}"),
                })
            }
            E::As { expr, kind, convert } => cast(self.value(*expr), *kind, convert.is_some()),
            other => panic!("no rule for {other:?}"),
        }
    }

    /// The factors of an expression that is a product of floats.
    fn factors(&mut self, handle: Handle<E>) -> Option<(f32, f32)> {
        let E::Binary { op: B::Multiply, left, right } = self.function.expressions[handle] else {
            return None;
        };
        match (self.value(left), self.value(right)) {
            (Float(x), Float(y)) => Some((x, y)),
            _ => None,
        }
    }

    fn binary(&mut self, op: B, left: Handle<E>, right: Handle<E>) -> Value {
        let (a, b) = (self.value(left), self.value(right));
        if let (B::Add | B::Subtract, Float(a), Float(b)) = (op, &a, &b)
            && self.shader.fused
        {
            let sign = if op == B::Add { 1.0 } else { -1.0 };
            if let Some((x, y)) = self.factors(right) {
                return Float((sign * x).mul_add(y, *a));
            }
            if let Some((x, y)) = self.factors(left) {
                return Float(x.mul_add(y, sign * b));
            }
        }
        match (op, a, b) {
            (B::Add, Float(a), Float(b)) => Float(a + b),
            (B::Subtract, Float(a), Float(b)) => Float(a - b),
            (B::Multiply, Float(a), Float(b)) => Float(a * b),
            (B::Divide, Float(a), Float(b)) => Float(a / b),
            (B::Less, Float(a), Float(b)) => Bool(a < b),
            (B::LessEqual, Float(a), Float(b)) => Bool(a <= b),
            (B::Greater, Float(a), Float(b)) => Bool(a > b),
            (B::GreaterEqual, Float(a), Float(b)) => Bool(a >= b),
            (B::Equal, Float(a), Float(b)) => Bool(a == b),
            // As SPIR-V has it, and naga writes it: ordered.
            (B::NotEqual, Float(a), Float(b)) => {
                Bool(a.partial_cmp(&b).is_some_and(std::cmp::Ordering::is_ne))
            }
            (B::Equal, Uint(a), Uint(b)) => Bool(a == b),
            (B::NotEqual, Uint(a), Uint(b)) => Bool(a != b),
            (B::Equal, Int(a), Int(b)) => Bool(a == b),
            (B::Equal, Bool(a), Bool(b)) => Bool(a == b),
            (B::Less, Uint(a), Uint(b)) => Bool(a < b),
            (B::Greater, Uint(a), Uint(b)) => Bool(a > b),
            (B::GreaterEqual, Uint(a), Uint(b)) => Bool(a >= b),
            (B::Add, Uint(a), Uint(b)) => Uint(a.wrapping_add(b)),
            (B::Subtract, Uint(a), Uint(b)) => Uint(a.wrapping_sub(b)),
            (B::Multiply, Uint(a), Uint(b)) => Uint(a.wrapping_mul(b)),
            (B::And, Uint(a), Uint(b)) => Uint(a & b),
            (B::InclusiveOr, Uint(a), Uint(b)) => Uint(a | b),
            (B::ShiftLeft, Uint(a), Uint(b)) => Uint(a << b),
            (B::ShiftRight, Uint(a), Uint(b)) => Uint(a >> b),
            (B::Add, Int(a), Int(b)) => Int(a.wrapping_add(b)),
            (B::Subtract, Int(a), Int(b)) => Int(a.wrapping_sub(b)),
            (B::And, Int(a), Int(b)) => Int(a & b),
            (B::ShiftRight, Int(a), Uint(b)) => Int(a >> b),
            (B::LogicalAnd | B::And, Bool(a), Bool(b)) => Bool(a && b),
            (B::LogicalOr | B::InclusiveOr, Bool(a), Bool(b)) => Bool(a || b),
            other => panic!("no rule for {other:?}"),
        }
    }
}

fn constant(literal: Literal) -> Value {
    match literal {
        Literal::F32(x) => Float(x),
        Literal::U32(x) => Uint(x),
        Literal::I32(x) => Int(x),
        Literal::Bool(x) => Bool(x),
        other => panic!("no rule for the literal {other:?}"),
    }
}

fn part_of(whole: &Value, part: usize) -> Value {
    match whole {
        Parts(parts) => parts[part].clone(),
        other => panic!("{other:?} has no parts"),
    }
}

fn access(base: Value, part: usize) -> Value {
    match base {
        Pointer(local, None) => Pointer(local, Some(part)),
        whole => part_of(&whole, part),
    }
}

fn cast(value: Value, kind: ScalarKind, convert: bool) -> Value {
    match (value, kind, convert) {
        (Float(x), ScalarKind::Uint, false) => Uint(x.to_bits()),
        (Uint(x), ScalarKind::Float, false) => Float(f32::from_bits(x)),
        (Uint(x), ScalarKind::Float, true) => Float(x as f32),
        (Int(x), ScalarKind::Float, true) => Float(x as f32),
        (Float(x), ScalarKind::Sint, true) => Int(x as i32),
        (Uint(x), ScalarKind::Sint, _) => Int(x as i32),
        (Int(x), ScalarKind::Uint, _) => Uint(x as u32),
        other => panic!("no rule for the cast {other:?}"),
    }
}
